"""The style of a report: light and dark, on a phone and on A4, with a text contrast of at least 4.5:1."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #FFFFFF; --card: #F3F6F9; --text: #18222E; --quiet: #4C5763; --line: #D8DFE7; --link: #0B5F95;
  --predicted: #A44500; --predicted-ground: #FCEBDD; --truth: #005A8E; --truth-ground: #E1F0F9;
  --simulated: #7E3A69; --simulated-ground: #F7E7F1; --other: #4C5763; --other-ground: #EBEFF3;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #0F151C; --card: #19222C; --text: #E8EDF2; --quiet: #B7C2CD; --line: #2C3946; --link: #7CC0EC;
    --predicted: #F3A670; --predicted-ground: #3A2416; --truth: #8ACBF2; --truth-ground: #12303F;
    --simulated: #E5A9CB; --simulated-ground: #371F30; --other: #B7C2CD; --other-ground: #232E39;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--ground); color: var(--text);
  font: 1rem/1.55 "Source Sans 3", "Source Sans Pro", "Segoe UI", Helvetica, Arial, sans-serif;
  overflow-wrap: break-word;
}
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .8rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.quiet, figcaption, caption { color: var(--quiet); font-size: .92rem; }
.labels { display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; margin: 0 0 1rem; padding: 0; }
.label {
  display: inline-flex; align-items: center; gap: .4rem; padding: .15rem .6rem; border-radius: 1rem; font-size: .92rem;
  color: var(--other); background: var(--other-ground);
}
.label svg { width: .8rem; height: .8rem; flex: none; fill: currentColor; }
.predicted { color: var(--predicted); background: var(--predicted-ground); }
.truth { color: var(--truth); background: var(--truth-ground); }
.simulated { color: var(--simulated); background: var(--simulated-ground); }
article, section { border-top: 1px solid var(--line); padding-top: 1.6rem; margin-top: 2rem; }
section section { border: 0; margin: 0; padding: 0; }
figure { margin: 0 0 1.2rem; }
figure img {
  display: block; width: 100%; height: auto; background: #FFFFFF; border: 1px solid var(--line); border-radius: 8px;
  padding: .75rem;
}
figcaption { margin-top: .35rem; }
.wide { overflow-x: auto; margin: 0 0 1.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .4rem; }
.facts td { overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; }
td.number, th.number { text-align: right; white-space: nowrap; }
thead th.number { white-space: normal; }
.facts { margin: 0 0 1.8rem; }
.facts caption { font-weight: 600; color: var(--text); }
.facts th { width: 13rem; font-weight: 600; }
.note { white-space: pre-wrap; background: var(--card); border-radius: 8px; padding: .8rem 1rem; margin: 0 0 1.2rem; }
.methods p { max-width: 46rem; }
@media (max-width: 40rem) { body { padding: 1.25rem .9rem 3rem; } h1 { font-size: 1.6rem; } .facts th { width: 8rem; } }
@page { size: A4; margin: 16mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  article, .methods, .sources { break-before: page; border: 0; margin: 0; padding: 0; }
  article:first-of-type { break-before: auto; margin-top: 1.5rem; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, .note { break-inside: avoid; }
  figure img { max-height: 105mm; object-fit: contain; }
  .wide { overflow: visible; }
  .label { border: 1px solid currentColor; }
}
"""

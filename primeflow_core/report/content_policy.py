"""What a page that somebody saves may do: nothing is fetched, nothing is sent."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

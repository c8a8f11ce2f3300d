"""The content security policy of a saved page: it loads nothing and sends nothing."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

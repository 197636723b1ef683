"""HTTP endpoints, one file per resource."""

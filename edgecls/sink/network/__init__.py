"""Network connections that tolerate slow, silent and hostile servers."""

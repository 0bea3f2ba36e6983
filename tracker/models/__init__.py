"""Which model runs: bundled, cached, downloaded or converted; and the networks themselves."""

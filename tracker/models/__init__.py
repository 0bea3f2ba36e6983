"""The models: where they are found, downloaded and converted, and the networks themselves."""

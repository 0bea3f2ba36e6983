"""Parts of tools/benchmark.py: each measures one thing and gives `figures.Figures`."""

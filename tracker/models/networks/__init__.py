"""The networks themselves, and the inference folders made from them; the only package that imports Paddle at once."""

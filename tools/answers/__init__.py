"""Tools for the answers to scenes: how fast they are made, and how right the crossings are."""

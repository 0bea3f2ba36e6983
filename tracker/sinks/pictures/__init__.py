"""Pictures beside the answers to a scene: the best of each person, a proof of each crossing, the empty scene."""

"""Settings of models, associations and refinement, each checked."""

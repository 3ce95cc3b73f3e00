"""Scenes of emoji with exact masks of what evokes the emotion."""

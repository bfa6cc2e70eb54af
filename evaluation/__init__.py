"""Scenes with exact truth, degradation, plain interpolators and quality figures."""

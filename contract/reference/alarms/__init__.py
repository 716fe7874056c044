"""Alarms: what training's own windows did, and which windows of a service go beyond it."""

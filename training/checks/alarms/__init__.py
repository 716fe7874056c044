"""Calibrates alarms on training's own windows: `ekiben alarms` shows what they are worth."""

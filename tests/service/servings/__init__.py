"""Tests of service/servings/."""

"""Tests of training/tables/."""

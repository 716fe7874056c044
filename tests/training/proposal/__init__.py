"""Tests of training/proposal/."""

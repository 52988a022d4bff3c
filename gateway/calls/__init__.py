"""Calls: a leg, a link and a controller joined, admitted, counted and ended."""

"""Numerics that theories share: quadrature, contours, filters, divided differences, Anderson mixing."""

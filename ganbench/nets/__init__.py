"""Backbones: pairs of a generator and a discriminator that variants share, so that boards compare losses."""

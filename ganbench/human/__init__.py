"""Human eyes: the two protocols of HYPE as a study that anyone can serve."""

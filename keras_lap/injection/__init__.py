"""Knowledge losses and the callbacks that put them into training."""

"""The cells of the study: data, networks, training, measurement and the page."""

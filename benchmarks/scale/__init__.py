"""Teams of 1 to 27 executors, flat and in groups: what size brings and costs."""

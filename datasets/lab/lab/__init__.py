"""A hospital's network in a box: real programs in network namespaces, a SPAN port, and the truth about every conversation."""

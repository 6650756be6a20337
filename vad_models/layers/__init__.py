"""Networks, losses and features that several methods share. Layers know no method; methods import them."""

"""Questions that theory, or a look inside trials, answers: when to stop, which ridge, how many samples.

`theory_curve` is one metric of a theory as a function of psi_n and ridge; `best_ridge` minimises it over the
ridge, `sample_complexity` finds the smallest psi_n at which it falls to a threshold, `stopping` the best
training time. `spread_by_mode` says where two models' samples differ, `errors_given_weights` what random
features on images come to, `features_against_theory` how trials differ from that, `generated_samples` what
a network at all noise levels makes. `spectra`, `regularisation`, `densities` and `diagnosis` look at what
trials are made of.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)

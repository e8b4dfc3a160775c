"""Theory of linear models trained on points of any law: the leave-one-out equivalent, order 1/N included.

`equivalent` solves the fixed point of the mean resolvent, `finite_size` adds the term of order 1/N,
`contour_rule` turns both into functionals of Sigma_hat. `sampled` and `denoised` are the metrics of the two
problems, `noise_draws` those of ridge training at a finite number of noise draws.
"""

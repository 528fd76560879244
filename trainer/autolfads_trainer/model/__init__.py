"""The LFADS model, plain and readable: the reference that faster paths are held against.

Sizes used throughout: B trials, T = `encod_seq_len`, R = `recon_seq_len` ≥ T, D held-in channels,
N channels of `recon_data` ≥ D, E = `ic_enc_dim`, C = `ci_enc_dim`, K = `con_dim`, U = `co_dim`,
I = `ic_dim`, G = `gen_dim`, F = `fac_dim`, X = `ext_input_dim`, S = `ic_enc_seq_len`.

Sources: Sussillo et al. 2016 (arXiv:1608.06315); Pandarinath et al. 2018 (Nature Methods 15,
805-815); Keshtkaran et al. 2022 (Nature Methods 19, 1572-1577).
"""

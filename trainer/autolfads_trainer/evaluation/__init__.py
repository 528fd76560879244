"""How good a run's results are: scores of the rates, from the files that the run left.

`evaluate.evaluate_file` takes one session's file, `evaluate.evaluate_results` a folder or a zip.
Nothing here needs torch. What the scores are, and where they follow the Neural Latents Benchmark
(Pei et al. 2021), is told in docs/evaluation.md.
"""

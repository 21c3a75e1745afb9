"""The paper's comparison (its section 3 and Figure 5), measured on SimCrossMoDA or on one's own data.

`plan` has the methods and scales as data, `endpoints` what is measured and claimed; `jobs` is the work, whose
`stages` and `pretraining` are real commands, each run once; `simulated` and `own_data` make or link the images;
`trainer` makes nnU-Net's training repeatable; `scores` and `translations` measure; `statistics`, `verdicts`, `tables`
and `page` show. `ceiling` and `premise` say beforehand what a comparison can show at all.
"""

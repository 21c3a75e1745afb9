"""The paper's comparison of segmenters (its section 3 and Figure 5), measured on SimCrossMoDA or on one's own data.

`plan` has the methods and scales as data; `stages` turns them into real commands, each run once; `simulated` and
`own_data` make or link the images; `trainer` makes nnU-Net's training repeatable; `scores` and `synthesis` measure;
`statistics`, `figures` and `page` show.
"""

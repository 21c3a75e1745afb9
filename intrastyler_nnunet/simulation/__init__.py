"""SimCrossMoDA: simulated ceT1 and T2 images of the skull base with vestibular schwannomas.

From the patient to the image: `subject` draws the numbers that make a patient, `patient` builds it on a grid from a
real head (`head`), drawn structures (`chains`, `fine_structure`) and a tumour (`tumour`); `sites` says which scanners a
sub-dataset has, `protocols` draws the parameters of a scan and `scanner` makes the image by the equations in `signals`.
`plan` and `raw_dataset` write an nnU-Net dataset of them, `challenge` the challenge's own folder.
"""

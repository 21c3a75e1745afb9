"""SimCrossMoDA: simulated ceT1 and T2 images of the skull base with vestibular schwannomas.

From the patient to the image: `subject` draws the numbers that make a patient, `anatomy` builds it on a grid from a
real head (`head`), drawn structures (`structures`) and a tumour (`tumour`); `sites` draws the parameters of a scan and
`scanner` makes the image by the equations in `signals`. `plan` and `dataset` write an nnU-Net dataset of them.
"""

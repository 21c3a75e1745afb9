"""A data set's styles as one page for people: `intrastyler report`."""

"""From the CrossMoDA challenge's download to its submission archive."""

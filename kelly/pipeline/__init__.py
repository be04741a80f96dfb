"""DVC around the stages: several networks at a time, repair of DVC's files, its page of plots without a network."""

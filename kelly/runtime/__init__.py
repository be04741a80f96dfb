"""What keeps users' work safe: files written whole, one run at a time, mistakes told and ends answered."""

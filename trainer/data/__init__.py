"""What training sees: photos taken in, sorted into buckets, cached."""

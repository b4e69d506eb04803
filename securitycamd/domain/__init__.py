"""What the product is about, without I/O or framework: words, states, time, rules, errors."""

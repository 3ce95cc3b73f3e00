"""Any folder of photographs, as a set of one's own."""

package audit

// ours says that a file belongs to this user, which on Windows its directory decides.
func ours(string) error { return nil }

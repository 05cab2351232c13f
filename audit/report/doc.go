// Package report makes a page of an audit log that a person can look at: one HTML
// file with everything in it, which needs no network, no script and no server, in
// light and dark, on a screen, a phone and paper.
//
//	var page bytes.Buffer
//	found, err := report.Write(ctx, &page, "/var/lib/weather/audit", nil)
//	if err != nil {
//		return err
//	}
//	if found.Bad != nil {
//		log.Printf("the log is wrong: %v", found.Bad)
//	}
//	return os.WriteFile("report.html", page.Bytes(), 0o600)
//
// It shows the calls over time, the refusals by reason, the slowest tools, who called
// what, and first of all what state the log is in: what [audit.Verify] found, and what
// it cannot know.
//
// # What is in a log was written by others
//
// Whoever calls a server has a say in what its log holds, and whoever could write to
// the log may have written anything. Every text is escaped for where it stands. Control
// characters, invisible ones and those that turn the direction of writing are spelled
// out, as ⟨U+202E⟩; long names are cut. The page forbids itself scripts, images,
// frames, forms and connections (Content-Security-Policy), so that what would get
// through all the same does nothing.
//
// A log is read in one pass, in memory that does not grow with it: names are kept by
// the hundred, those that are seen most often, and the rest is counted as others;
// times are kept as counts in bands of 6 %, which is how exact percentiles are.
package report

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// A page is where the tour is printed.
type page struct {
	w      io.Writer
	colour bool
}

const width = 100

func (p page) title(s string) {
	fmt.Fprintf(p.w, "\n%s\n%s\n\n", p.paint("1", s), p.paint("1", strings.Repeat("═", len([]rune(s)))))
}

func (p page) section(number int, s string) {
	head := fmt.Sprintf("%d  %s ", number, s)
	fmt.Fprintf(p.w, "\n%s\n\n", p.paint("1;36", head+strings.Repeat("─", max(0, width-len([]rune(head))))))
}

// sayf prints a text of the guide's.
func (p page) sayf(format string, args ...any) { p.block("", fmt.Sprintf(format, args...)) }

// labelled prints what somebody sends or reads.
func (p page) labelled(label, code, text string) {
	const indent = 17
	lines := wrapped(text, width-indent)
	for i, line := range lines {
		head := ""
		if i == 0 {
			head = label
		}
		fmt.Fprintf(p.w, "  %s%s\n", p.paint(code, head)+strings.Repeat(" ", max(1, indent-2-len([]rune(head)))), line)
	}
}

func (p page) block(indent, text string) {
	for _, line := range wrapped(text, width-len(indent)) {
		fmt.Fprintln(p.w, indent+line)
	}
}

func (p page) paint(code, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// wrapped breaks a text into lines at its spaces; a longer word keeps its line.
func wrapped(text string, most int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case len([]rune(line))+1+len([]rune(word)) > most:
				lines = append(lines, line)
				line = word
			default:
				line += " " + word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// terminal says that colours may be used (https://no-color.org).
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

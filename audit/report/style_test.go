package report

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var variable = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// luminance and contrast are those of WCAG 2.2.
func luminance(hex string) float64 {
	channel := func(s string) float64 {
		v, _ := strconv.ParseUint(s, 16, 8)
		if c := float64(v) / 255; c > 0.04045 {
			return math.Pow((c+0.055)/1.055, 2.4)
		} else {
			return c / 12.92
		}
	}
	return 0.2126*channel(hex[0:2]) + 0.7152*channel(hex[2:4]) + 0.0722*channel(hex[4:6])
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Text has the contrast that WCAG 2.2 AA asks for, and what is no text and means
// something too.
func TestColoursHaveContrastInBothSchemes(t *testing.T) {
	t.Parallel()
	light, dark, ok := strings.Cut(styleText, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(text, -1) {
			colour[m[1]] = m[2]
		}
		for _, c := range []struct {
			on   string
			what []string
			want float64
		}{
			{"card", []string{"ink", "soft", "wrong"}, 4.5},
			{"paper", []string{"ink", "soft"}, 4.5},
			{"ok-back", []string{"ink", "soft"}, 4.5},
			{"limits-back", []string{"ink", "soft"}, 4.5},
			{"wrong-back", []string{"ink", "soft", "wrong"}, 4.5},
			{"card", []string{"answered", "failed", "refused", "focus", "soft"}, 3},
			{"track", []string{"answered", "failed", "refused"}, 3},
			{"on", []string{"ok", "limits", "wrong"}, 4.5},
			{"ok-back", []string{"ok"}, 3},
			{"limits-back", []string{"limits"}, 3},
		} {
			for _, what := range c.what {
				if got := contrast(colour[c.on], colour[what]); !(got >= c.want) {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", scheme, what, c.on, got, c.want)
				}
			}
		}
	}
}

var (
	style = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	away  = regexp.MustCompile(`(?i)https?:|url\(|@import|\ssrc=|href=|<script|<link|<base|<iframe|<form| on[a-z]+=|\sstyle=`)
)

// The page holds what it needs, and its policy allows that and nothing else.
func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	page := pageOf(t, sample()[:200], foundIn(sample()[:200]))
	sum := sha256.Sum256([]byte(style.FindStringSubmatch(page)[1]))
	policy := strings.ReplaceAll(regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)[1], "&#39;", "'")
	policy = strings.ReplaceAll(policy, "&#43;", "+")
	if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"; policy != want {
		t.Errorf("the policy is\n%s, want\n%s", policy, want)
	}
	page = strings.ReplaceAll(page, "https://id.example", "") // an issuer, which is text
	if m := away.FindString(page); m != "" {
		t.Errorf("the page holds %q", m)
	}
}

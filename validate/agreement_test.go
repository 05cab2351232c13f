package validate

import (
	"runtime/debug"
	"testing"
)

func TestAgreement(t *testing.T) {
	// Millions of small values are made and thrown away.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	t.Run("rules", func(t *testing.T) {
		agreeInGroups(t, "texts", textFields())
		agreeInGroups(t, "numbers", numberFields())
		agreeInGroups(t, "many", manyFields())
	})
}

package live

import (
	"image/color"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// look is how things are drawn. Without colour everything still says what it is.
type look struct{ colour bool }

// The sixteen colours that every terminal has and people choose themselves.
var (
	black, red, green, yellow = lipgloss.Black, lipgloss.Red, lipgloss.Green, lipgloss.Yellow
	magenta, cyan, grey       = lipgloss.Magenta, lipgloss.Cyan, lipgloss.BrightBlack
	white                     = lipgloss.BrightWhite
)

// fg draws text in a colour; bold when bold is set.
func (k look) fg(text string, c color.Color, bold bool) string {
	if !k.colour {
		return text
	}
	return lipgloss.NewStyle().Foreground(c).Bold(bold).Render(text)
}

func (k look) dim(text string) string { return k.fg(text, grey, false) }

func (k look) bold(text string) string {
	if !k.colour {
		return text
	}
	return lipgloss.NewStyle().Bold(true).Render(text)
}

// block draws a host's cell in the colour of its condition.
func (k look) block(text string, c condition) string {
	if !k.colour {
		return text
	}
	style := lipgloss.NewStyle().Foreground(black)
	switch c {
	case dark:
		style = style.Foreground(white).Background(red).Bold(true)
	case faulted:
		style = style.Foreground(white).Background(magenta).Bold(true)
	case booting:
		style = style.Background(yellow)
	case on:
		style = style.Background(green)
	case missing:
		style = style.Background(grey)
	}
	return style.Render(text)
}

// width is how many columns a text takes.
func width(text string) int { return ansi.StringWidth(text) }

// cut shortens text to n columns.
func cut(text string, n int) string { return ansi.Truncate(text, max(0, n), "…") }

// pad makes text exactly n columns wide.
func pad(text string, n int) string {
	text = cut(text, n)
	return text + strings.Repeat(" ", max(0, n-width(text)))
}

// between puts left and right at the two ends of n columns; right is kept whole.
func between(left, right string, n int) string {
	left = cut(left, n-width(right)-1)
	return left + strings.Repeat(" ", max(1, n-width(left)-width(right))) + right
}

// clean takes out of a text what could command the terminal: services and hosts
// had a hand in it.
func clean(text string) string {
	text = strings.ReplaceAll(ansi.Strip(text), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, text)
}

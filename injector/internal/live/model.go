package live

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// pace is how often the picture is drawn anew: often enough to see a clock run,
// seldom enough to leave the machine to the lab.
const pace = 250 * time.Millisecond

// tick says that the picture is due.
type tick struct{}

// model is the keyboard's and the window's part of the picture.
type model struct {
	draw      func(m model) string
	halt      func()
	interrupt func()

	columns, rows int
	minute        bool
	asking        bool
}

// Init draws at once.
func (m model) Init() tea.Cmd { return next() }

func next() tea.Cmd { return tea.Tick(pace, func(time.Time) tea.Msg { return tick{} }) }

// Update takes in one message.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		return m, next()
	case tea.WindowSizeMsg:
		m.columns, m.rows = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String()), nil
	}
	return m, nil
}

// key does what a key asks for. Nothing ends the view but the end of the run.
func (m model) key(k string) model {
	asked := m.asking
	m.asking = false
	switch {
	case k == "ctrl+c":
		m.interrupt()
	case asked && (k == "h" || k == "y"):
		m.halt()
	case asked:
	case k == "h":
		m.asking = true
	case k == "m":
		m.minute = !m.minute
	}
	return m
}

// View draws on the terminal's other screen, so that the one before comes back.
func (m model) View() tea.View {
	v := tea.NewView(m.draw(m))
	v.AltScreen = true
	return v
}

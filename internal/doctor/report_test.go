package doctor_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/doctor"
)

func TestAFindingIsOneLineThatATerminalCannotObey(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, doctor.Line(&out, doctor.Finding{Check: "proxy", Outcome: doctor.Fail, What: "It says \x1b[2J\nnothing.", Fix: "Mend it."}, false))
	require.Equal(t, "fail  proxy            It says  [2J nothing. What to do: Mend it.\n", out.String())
	out.Reset()
	require.NoError(t, doctor.Line(&out, doctor.Finding{Check: "clock", Outcome: doctor.OK, What: "Well."}, true))
	require.Equal(t, "\x1b[32mok  \x1b[0m  clock            Well.\n", out.String())
}

func TestOnlyAFailureIsOne(t *testing.T) {
	t.Parallel()
	require.True(t, doctor.Well([]doctor.Finding{{Outcome: doctor.OK}, {Outcome: doctor.Warn}, {Outcome: doctor.Skip}}))
	require.False(t, doctor.Well([]doctor.Finding{{Outcome: doctor.OK}, {Outcome: doctor.Fail}}))
}

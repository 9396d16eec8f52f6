package worker

import (
	"errors"
	"strings"

	"github.com/tftpsql/tftpsql/sftp"
	"github.com/tftpsql/tftpsql/tftp"
)

// A reason is why a transfer failed or was refused, in a fixed phrase: what the peer is told, the
// key of a failure's row and of its cure, and a label of metrics.
type reason string

// What this package tells a peer. Package tftp tells more: tftp.Messages.
const (
	notAllowed  reason = tftp.MessageNotAllowed
	notFound    reason = "file not found"
	exists      reason = "file already exists"
	full        reason = tftp.MessageFull
	unavailable reason = tftp.MessageUnavailable
	stopping    reason = tftp.MessageShutdown

	loginRefused reason = "login or token refused"
	malformed    reason = "not understood"
)

// Ends that the peer was not told.
const (
	givenUp     reason = "given up by the device"
	replaced    reason = "begun anew by the device"
	crowded     reason = "crowded out by other requests"
	noReport    reason = "done, but the device had gone"
	undelivered reason = "alarm given up"
	internal    reason = tftp.MessageInternal // of an error that is no *tftp.Error
)

// ofRead precedes the reason of a read.
const ofRead = "read: "

// cures say what an operator can do, by the reason. A cause that has a hint of its own has it in
// its detail.
var cures = map[reason]string{
	notAllowed:           "if it is a device of yours, add its address to TFTP_ALLOW",
	ofRead + notAllowed:  "hand the file over with tftpsql publish",
	notFound:             "look at the name; tftpsql publish hands a file over",
	ofRead + notFound:    "look at the name, or hand the file over with tftpsql publish",
	exists:               "send under another name, or turn TFTP_WRITE_ONCE off",
	full:                 "make room on the database's disk, or raise TFTP_MEMORY",
	ofRead + full:        "raise TFTP_MEMORY: the memory for transfers was spent",
	unavailable:          "look at the database; the device has to send again",
	ofRead + unavailable: "look at the database; the device has to ask again",
	stopping:             "nothing: it was restarted; the device has to try again",
	loginRefused: "look at tftpsql login list, or token list: at the name, the key, the sites " +
		"and the role uploader",
	malformed: "look at the detail: the sender was told the same",
	givenUp:   "look at the device's own message; its time-out may be short",
	replaced:  "look whether its next transfer ended well; its time-out may be short",
	crowded: "look at what sends so many requests without a second packet, and " +
		"block its address",
	undelivered: "look at the channel: tftpsql alarm test; tftpsql deliveries says why",
	noReport:    "nothing: an upload is stored, and the device may send it again",
	internal:    "this is a defect of tftpsql: report it with the line of the log",

	tftp.MessageTooLarge:          "raise TFTP_MAX_SIZE if it is a configuration",
	ofRead + tftp.MessageTooLarge: "publish a smaller file: at most 256 MiB are given out",
	tftp.MessageSilent: "look at the network between: packets are lost, or a firewall drops " +
		"answers",
	ofRead + tftp.MessageSilent: "the client stopped answering: a firewall may drop " +
		"DATA, or fragments of a large blksize: lower TFTP_MAX_BLKSIZE",
	tftp.MessageBusy: "spread the devices' schedules",
	tftp.MessageFlood: "look at what sends them: a loop in a script, or " +
		"an attack; block its address",
	tftp.MessageMalformed: "something other than a TFTP client sends to this port",
	tftp.MessageMode:      "set the device to binary (octet) mode",
	tftp.MessageName: "shorten the name on the device: it has at most 512 " +
		"bytes",
	tftp.MessageOperation:  "something other than a TFTP client sends to this port",
	tftp.MessageUnknownTID: "nothing: a late packet of a transfer that has ended",
	tftp.MessageBeyond: "the client sends shorter blocks than it was granted: set " +
		"TFTP_MAX_BLKSIZE=512, or its own block size",
	tftp.MessageAltered: "raise TFTP_ACK_TIMEOUT: the client doesn't expect " +
		"an answer twice; or it restarted at once and sends another file",
}

// Cure returns what an operator can do about a failure of that reason, "" where nothing is known.
func Cure(why string) string {
	if cure, ok := cures[reason(why)]; ok {
		return cure
	}
	return cures[reason(strings.TrimPrefix(why, ofRead))]
}

// tell returns the error that tells a peer the reason. The cause goes to the log.
func (r reason) tell(code tftp.ErrorCode, cause error) *tftp.Error {
	return &tftp.Error{Code: code, Message: string(r), Err: cause}
}

// reasonBySSH returns why an upload or a login by SSH was refused or failed.
func reasonBySSH(err error) reason {
	var said *sftp.Error
	told, ok := toldOf(err)
	_, known := cures[told]
	switch {
	case errors.Is(err, sftp.ErrNoReceipt):
		return noReport
	case ok && known:
		return told
	case errors.As(err, &said) && strings.HasPrefix(said.Message, tftp.MessageTooLarge):
		return tftp.MessageTooLarge
	case errors.As(err, &said) && strings.HasPrefix(said.Message, "too many"):
		return tftp.MessageBusy
	}
	return givenUp
}

// reasonOf returns why a transfer failed, and the TFTP error that the peer was sent, -1 for none.
func reasonOf(err error) (code int, why reason) {
	var told *tftp.Error
	var peer *tftp.PeerError
	switch {
	case errors.As(err, &peer):
		return -1, givenUp
	case errors.As(err, &told):
		return int(told.Code), reason(told.Message)
	case errors.Is(err, tftp.ErrReplaced):
		return -1, replaced
	case errors.Is(err, tftp.ErrCrowded):
		return -1, crowded
	case errors.Is(err, tftp.ErrNoReport):
		return -1, noReport
	}
	return int(tftp.CodeUndefined), internal
}

// Package sftp is a server of uploads by SFTP (version 3) and SCP (scp -t). It takes files and
// gives none back: there is no shell, no forwarding and nothing to read.
//
// # Server
//
// A [Server] has host keys, a check of logins and a [Handler]. It is used like that of net/http:
//
//	server := &sftp.Server{
//		HostKeys: []ssh.Signer{key},
//		Password: func(ctx context.Context, a sftp.Attempt, password []byte) (sftp.Login, error) {
//			return check(ctx, a.User, password)
//		},
//		Handler: sftp.HandlerFunc(func(ctx context.Context, u *sftp.Upload) error {
//			return store(ctx, u.Path, u.Body)
//		}),
//	}
//	listener, err := net.Listen("tcp", ":2022")
//	...
//	err = server.Serve(listener)
//
// Shutdown lets running uploads end.
//
// # The receipt
//
// The client hears OK after the Handler has returned nil, and not before. In SFTP that is the
// status of SSH_FXP_CLOSE, in SCP the byte after the file. An upload that isn't whole never gets to
// the Handler: one whose connection was lost, that has a hole, or whose client says that its file
// could not be read.
//
// Some clients ignore the status of SSH_FXP_CLOSE. paramiko looks at the file afterwards, and is
// told then why it was not stored. curl and others with libssh2 don't look: their user believes in
// a file that was refused.
//
// # Folders
//
// Nothing is kept for clients, so the server makes up what they look at. Every folder exists. A
// connection sees the files that it has sent, and no others. Remove, mkdir, rmdir, rename and
// setstat say OK and change nothing that was stored: an upload is stored under the name that it was
// opened with, so a client that sends x.part and renames it has stored x.part.
//
// A client asks what a path is before it sends. A file that the connection has sent is a file. A
// path that ends in a slash, or that was made, entered or listed, is a folder. Of other paths, one
// whose last part has a dot doesn't exist yet, and one without a dot is a folder. So a person
// writes fw1.conf or backup/, and either means what it says.
//
// # Errors
//
// The Message of an [*Error] that a handler or a check returns goes to the client. For any other
// error of a handler the client gets "storage unavailable, try again". The log has the whole error.
//
// # Stability
//
// What is exported here follows semantic versioning: until version 1 a minor version may change it,
// and CHANGELOG.md says what to write instead. The package uses golang.org/x/crypto and the
// standard library, and nothing else of this module. It speaks SFTP itself: the server of pkg/sftp
// hides a slash at the end of a path, and a panic in it ends the program.
package sftp

package apierror

import "net/http"

// The codes. They are part of the HTTP API and never change.
const (
	// Requests.
	CodeNotFound         = "not_found"
	CodeMethodNotAllowed = "method_not_allowed"
	CodeBadRequest       = "bad_request"
	CodeTooLarge         = "too_large"
	CodeCSRF             = "csrf"
	CodeOrigin           = "origin"
	CodeNoPage           = "no_page"
	CodeInternal         = "internal"
	CodeStopping         = "stopping"
	CodeManyStreams      = "too_many_streams"

	// Who calls.
	CodeSignedOut        = "signed_out"
	CodeAmbiguousCookies = "ambiguous_cookies"
	CodeBadToken         = "bad_token"
	CodeOwnTokenOnly     = "own_token_only"
	CodeUsersOnly        = "users_only"
	CodeTokenOnly        = "token_only"
	CodeSessionOnly      = "session_only"
	CodeNoAccess         = "no_access"
	CodeServerTokenOnly  = "server_token_only"
	CodeNoRecord         = "no_record"
	CodeLoginState       = "login_state"
	CodeLoginDenied      = "login_denied"
	CodeLoginScopes      = "login_scopes"
	CodeLoginClient      = "login_client"
	CodeLoginRefused     = "login_refused"

	// The Hub.
	CodeHubUnavailable  = "hub_unavailable"
	CodeHubRefused      = "hub_refused"
	CodeHubSignedOut    = "hub_signed_out"
	CodeHubTokenRefused = "hub_token_refused"
	CodeHubScopeMissing = "hub_scope_missing"

	// Flows.
	CodeNoFlow                = "no_flow"
	CodeFlowUnderWay          = "flow_under_way"
	CodeNoWebFlow             = "no_web_flow"
	CodeWebState              = "web_state"
	CodeNotThisPage           = "not_this_page"
	CodeNotBegunHere          = "not_begun_here"
	CodeNotConfirmed          = "not_confirmed"
	CodeTooManyCodes          = "too_many_codes"
	CodeCodeExpired           = "code_expired"
	CodeApprovalExpired       = "approval_expired"
	CodeAnswerLost            = "answer_lost"
	CodeDenied                = "denied"
	CodeTokenNeverExpires     = "token_never_expires"
	CodeIdentityMismatch      = "identity_mismatch"
	CodeAccountBound          = "account_bound"
	CodeOtherAccountConnected = "other_account_connected"
	CodeInterrupted           = "interrupted"

	// Connections.
	CodeNotConnected      = "not_connected"
	CodeConnectionExpired = "connection_expired"
	CodeConnectionRevoked = "connection_revoked"
	CodeConnectionEnded   = "connection_ended"
	CodeServiceUpdated    = "service_updated"
	CodeRefreshFailed     = "refresh_failed"
	CodeServersStopped    = "servers_stopped"
	CodeServersUnseen     = "servers_unseen"

	// Users' servers and deliveries to them; more come from the delivery's script (internal/deliver).
	CodePullOnly            = "pull_only"
	CodeManyServers         = "too_many_servers"
	CodeServerName          = "server_name"
	CodeServerNotChosen     = "server_not_chosen"
	CodeServersNamed        = "servers_named"
	CodeServerAddress       = "server_address"
	CodeHelperCopies        = "helper_copies"
	CodeServerUnproven      = "server_unproven"
	CodeServerDidNotStart   = "server_did_not_start"
	CodeServerRefusedToken  = "server_refused_token"
	CodeServerNotReady      = "server_not_ready"
	CodeServerUnreachable   = "server_unreachable"
	CodeDeliveryInterrupted = "delivery_interrupted"
	CodeDeliveryTimeout     = "delivery_timeout"
	CodeNoWayIn             = "no_way_in"
	CodeInsecureHost        = "insecure_host"
	CodeBadCredential       = "bad_credential"

	// Git's questions.
	CodeOtherHost           = "other_host"
	CodeRepositoryUnnamed   = "repository_unnamed"
	CodeRepositoryNotChosen = "repository_not_chosen"
	CodeRepositoryUnknown   = "repository_unknown"
	CodeManyTokens          = "too_many_tokens"

	// GitHub and its App.
	CodeGitHubUnreachable  = "github_unreachable"
	CodeGitHubBadAnswer    = "github_bad_answer"
	CodeGitHubLimited      = "github_limited"
	CodeGitHubRefused      = "github_refused"
	CodeAppMisconfigured   = "app_misconfigured"
	CodeAppUnknown         = "app_unknown"
	CodeAppNotPublic       = "app_not_public"
	CodeAPINeedsLogin      = "api_needs_login"
	CodeDeviceFlowDisabled = "device_flow_disabled"
	CodeEmailUnverified    = "email_unverified"
	CodeCodeSpent          = "code_spent"
	CodeTokenDead          = "token_dead"

	// Bot tokens.
	CodeBotsOff                = "bots_off"
	CodeNoCaller               = "no_caller"
	CodeIdentityInvalid        = "identity_invalid"
	CodeIdentityExpired        = "identity_expired"
	CodeIdentityIssuer         = "identity_issuer"
	CodeIdentityAudience       = "identity_audience"
	CodeIdentityReplayed       = "identity_replayed"
	CodeIdentityUnavailable    = "identity_unavailable"
	CodeBotRefused             = "bot_refused"
	CodeRepositoryRefused      = "repository_refused"
	CodeRepositoryUnguarded    = "repository_unguarded"
	CodeNotInstalled           = "not_installed"
	CodeNotGranted             = "not_granted"
	CodeRepositoryRenamed      = "repository_renamed"
	CodeAppLacksPermission     = "app_lacks_permission"
	CodePermissionNotAccepted  = "permission_not_accepted"
	CodeAddressNotAllowed      = "address_not_allowed"
	CodeInstallationSuspended  = "installation_suspended"
	CodeGitHubGrantedOtherwise = "github_granted_otherwise"
	CodeTokenUnknown           = "token_unknown"
	CodeBranchMoved            = "branch_moved"
	CodeBranchProtected        = "branch_protected"
	CodeNotPermitted           = "not_permitted"
	CodeCommitUnknown          = "commit_unknown"
	CodeTooManyRefusals        = "too_many_refusals"
	CodeRepositoriesMissing    = "repositories_missing"
	CodeTooManyRepositories    = "too_many_repositories"
	CodePermissionsMissing     = "permissions_missing"
	CodePermissionInvalid      = "permission_invalid"
	CodeRepositoryInvalid      = "repository_invalid"
	CodeSeveralOwners          = "several_owners"
	CodeUnavailable            = "unavailable"

	// The store.
	CodeStoreFull        = "store_full"
	CodeStoreUnavailable = "store_unavailable"
)

// property is what a code says besides its name.
type property struct {
	// status is that of HTTP; 0: 503 where the error is retryable, else 502.
	status int
	// admins: only administrators can follow the hint.
	admins bool
	// ends: a connection that stood has ended.
	ends bool
	// noAnswer: GitHub gave no usable answer.
	noAnswer bool
}

// codes are those that have a property.
var codes = map[string]property{
	CodeNotFound:              {status: http.StatusNotFound},
	CodeMethodNotAllowed:      {status: http.StatusMethodNotAllowed},
	CodeBadRequest:            {status: http.StatusBadRequest},
	CodeTooLarge:              {status: http.StatusRequestEntityTooLarge},
	CodeCSRF:                  {status: http.StatusForbidden},
	CodeOrigin:                {status: http.StatusForbidden},
	CodeNoPage:                {status: http.StatusForbidden},
	CodeInternal:              {status: http.StatusInternalServerError},
	CodeStopping:              {status: http.StatusServiceUnavailable},
	CodeManyStreams:           {status: http.StatusTooManyRequests},
	CodeSignedOut:             {status: http.StatusUnauthorized},
	CodeAmbiguousCookies:      {status: http.StatusUnauthorized},
	CodeBadToken:              {status: http.StatusUnauthorized},
	CodeOwnTokenOnly:          {status: http.StatusUnauthorized},
	CodeUsersOnly:             {status: http.StatusForbidden},
	CodeTokenOnly:             {status: http.StatusForbidden},
	CodeSessionOnly:           {status: http.StatusForbidden},
	CodeNoAccess:              {status: http.StatusForbidden},
	CodeServerTokenOnly:       {status: http.StatusForbidden},
	CodeNoRecord:              {status: http.StatusNotFound},
	CodeLoginState:            {status: http.StatusForbidden},
	CodeLoginDenied:           {status: http.StatusForbidden},
	CodeLoginScopes:           {status: http.StatusBadGateway},
	CodeLoginClient:           {status: http.StatusBadGateway},
	CodeLoginRefused:          {status: http.StatusBadGateway},
	CodeHubUnavailable:        {status: http.StatusServiceUnavailable},
	CodeHubRefused:            {status: http.StatusBadGateway},
	CodeHubScopeMissing:       {status: http.StatusForbidden, admins: true},
	CodeNoFlow:                {status: http.StatusNotFound},
	CodeFlowUnderWay:          {status: http.StatusConflict},
	CodeNoWebFlow:             {status: http.StatusNotFound},
	CodeWebState:              {status: http.StatusForbidden},
	CodeNotThisPage:           {status: http.StatusForbidden},
	CodeNotBegunHere:          {status: http.StatusForbidden},
	CodeTooManyCodes:          {status: http.StatusTooManyRequests},
	CodeTokenNeverExpires:     {admins: true},
	CodeNotConnected:          {status: http.StatusNotFound},
	CodeConnectionExpired:     {ends: true},
	CodeConnectionRevoked:     {ends: true},
	CodeConnectionEnded:       {ends: true},
	CodeServiceUpdated:        {ends: true},
	CodeRefreshFailed:         {ends: true},
	CodeServersStopped:        {ends: true},
	CodeServersUnseen:         {ends: true},
	CodeManyServers:           {status: http.StatusBadRequest},
	CodeServerName:            {status: http.StatusBadRequest},
	CodeServerNotChosen:       {status: http.StatusForbidden},
	CodeServersNamed:          {status: http.StatusForbidden},
	CodeInsecureHost:          {admins: true},
	CodeOtherHost:             {status: http.StatusNotFound},
	CodeRepositoryUnnamed:     {status: http.StatusBadRequest},
	CodeRepositoryNotChosen:   {status: http.StatusForbidden},
	CodeManyTokens:            {status: http.StatusTooManyRequests},
	CodeGitHubUnreachable:     {noAnswer: true},
	CodeGitHubBadAnswer:       {noAnswer: true},
	CodeGitHubLimited:         {noAnswer: true},
	CodeGitHubRefused:         {admins: true},
	CodeAppMisconfigured:      {admins: true},
	CodeAppUnknown:            {admins: true},
	CodeDeviceFlowDisabled:    {admins: true},
	CodeBotsOff:               {status: http.StatusNotFound},
	CodeNoCaller:              {status: http.StatusForbidden},
	CodeIdentityInvalid:       {status: http.StatusUnauthorized},
	CodeIdentityExpired:       {status: http.StatusUnauthorized},
	CodeIdentityIssuer:        {status: http.StatusUnauthorized},
	CodeIdentityAudience:      {status: http.StatusUnauthorized},
	CodeIdentityReplayed:      {status: http.StatusUnauthorized},
	CodeBotRefused:            {status: http.StatusForbidden},
	CodeRepositoryRefused:     {status: http.StatusForbidden},
	CodeRepositoryUnguarded:   {status: http.StatusForbidden},
	CodeNotInstalled:          {status: http.StatusUnprocessableEntity},
	CodeNotGranted:            {status: http.StatusUnprocessableEntity},
	CodeRepositoryRenamed:     {status: http.StatusUnprocessableEntity},
	CodeAppLacksPermission:    {status: http.StatusUnprocessableEntity, admins: true},
	CodePermissionNotAccepted: {status: http.StatusUnprocessableEntity},
	CodeAddressNotAllowed:     {status: http.StatusUnprocessableEntity},
	CodeInstallationSuspended: {status: http.StatusUnprocessableEntity},
	CodeTokenUnknown:          {status: http.StatusNotFound},
	CodeTooManyRefusals:       {status: http.StatusTooManyRequests},
	CodeRepositoriesMissing:   {status: http.StatusBadRequest},
	CodeTooManyRepositories:   {status: http.StatusBadRequest},
	CodePermissionsMissing:    {status: http.StatusBadRequest},
	CodePermissionInvalid:     {status: http.StatusBadRequest},
	CodeRepositoryInvalid:     {status: http.StatusBadRequest},
	CodeSeveralOwners:         {status: http.StatusBadRequest},
}

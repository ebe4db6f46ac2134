package sqs

// input is a call's parameters, whatever the protocol; the names are the API's.
// A nil pointer is a parameter that was not given.
type input struct {
	Operation string `json:"-"`

	QueueName              string
	QueueURL               string `json:"QueueUrl"`
	QueueNamePrefix        string
	QueueOwnerAWSAccountID string `json:"QueueOwnerAWSAccountId"`
	MaxResults             *int
	NextToken              string
	Attributes             map[string]string

	AttributeNames              []string
	MessageAttributeNames       []string
	MessageSystemAttributeNames []string
	MaxNumberOfMessages         *int
	WaitTimeSeconds             *int

	Entries []entry
	entry   // of the operations that are no batch
}

// entry is what one message of a batch has, and the calls that are no batch.
type entry struct {
	ID                      string `json:"Id"`
	MessageBody             *string
	DelaySeconds            *int
	MessageAttributes       map[string]attributeValue
	MessageSystemAttributes map[string]attributeValue
	MessageGroupID          *string `json:"MessageGroupId"`
	MessageDeduplicationID  *string `json:"MessageDeduplicationId"`
	ReceiptHandle           *string
	VisibilityTimeout       *int
}

type attributeValue struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// output is an answer, whatever the protocol.
type output struct {
	QueueURL   string            `json:"QueueUrl,omitempty"`
	QueueURLs  []string          `json:"QueueUrls,omitempty"`
	SourceURLs []string          `json:"queueUrls,omitempty"` // of ListDeadLetterSourceQueues
	NextToken  string            `json:",omitempty"`
	Attributes map[string]string `json:",omitempty"`

	Messages   []receivedMessage `json:",omitempty"`
	Successful []sentEntry       `json:",omitempty"`
	Failed     []failedEntry     `json:",omitempty"`
	*sentMessage
}

type sentMessage struct {
	MessageID             string `json:"MessageId,omitempty"`
	MD5OfBody             string `json:"MD5OfMessageBody,omitempty"`
	MD5OfAttributes       string `json:"MD5OfMessageAttributes,omitempty"`
	MD5OfSystemAttributes string `json:"MD5OfMessageSystemAttributes,omitempty"`
	SequenceNumber        string `json:",omitempty"`
}

type sentEntry struct {
	ID string `json:"Id"`
	*sentMessage
}

type failedEntry struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type receivedMessage struct {
	MessageID       string `json:"MessageId"`
	ReceiptHandle   string
	MD5OfBody       string
	Body            string
	Attributes      map[string]string         `json:",omitempty"`
	MD5OfAttributes string                    `json:"MD5OfMessageAttributes,omitempty"`
	Attributed      map[string]attributeValue `json:"MessageAttributes,omitempty"`
}

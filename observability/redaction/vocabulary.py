"""The words that keys are made of. A key is split into words; the words decide what its value is."""


def words(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())


# A key that ends so is about the thing, and does not hold it: token_count, phone_id, password_changed_at.
ABOUT = words("""
    id ids uuid guid at on count counts type types kind class status state sent verified valid invalid
    enabled disabled required length len size limit limits expires expiry expiration exp ttl age bucket
    prefix url urls uri endpoint path domain domains host provider template templates subject policy
    version scope scopes format field fields label labels method methods strategy rotation rotated reset
    changed updated created used remaining total rate usage budget consent banner preference preferences
    notification notifications campaign campaigns opt optin optout in out dnd index position source
    present missing exists ok error errors hit hits miss misses mode manager strength score attempts
    attempt failures failed failure retries delivered opened clicked bounced unsubscribed validated
    confirmed days hours minutes seconds ms us bytes timestamp date time duration country region lookup
    cost price timezone language locale charset encoding algorithm alg issuer audience santa ring queue
    queued stats statistics report reports event events message messages body text html content regex
    pattern validator hint hints handler backend middleware service client model models module view
    views form page link links button column table file files dir directory store storage provided given
    set unset refreshed revoked detected found checked seen received pending
""")
ABOUT_FIRST = words("""
    is has num count total max min avg mean sum use uses allow allows enable enabled disable require
    requires required needs should can with show hide missing invalid valid unique
""")

SECRET = words("""
    password passwords passwd pwd pw passphrase passcode passwort contrasena senha secret secrets apikey
    apikeys authorization cookie cookies setcookie credential credentials creds jwt otp totp csrf xsrf
    sessionid phpsessid jsessionid bearer signature authkey privkey
""")
SECRET_ALONE = words("pin pass auth sig cvv cvc cvv2 dsn hmac hash_password token_value")
SECRET_ENDINGS = (
    "password", "passwd", "secret", "token", "apikey", "secretkey", "privatekey", "accesskey", "routingkey",
    "integrationkey", "signingkey", "encryptionkey", "authkey", "licensekey", "sessionkey", "secretkeybase",
    "subscriptionkey", "servicekey", "passphrase", "accountkey", "sharedkey",
)  # fmt: skip
KEY_OWNERS = words("""
    api access secret private signing signature routing integration encryption decryption license
    licence auth authentication service master account shared ssh deploy session app application
    subscription functions hmac webhook consumer server live test stripe openai anthropic posthog
    sendgrid twilio slack pagerduty ghl google maps aws azure admin write ingest ingestion rsa pgp gpg
    ssl tls vapid fcm jwt recovery publishable mailgun mailchimp sentry datadog github gitlab cipher
    symmetric security fernet
""")
CODE_OWNERS = words("""
    verification security auth authorization authorisation otp mfa backup recovery login factor 2fa
    access reset magic device onetime time sms
""")
PASS_OWNERS = words(
    "db database user mysql postgres pg smtp redis admin root mail ftp login auth wifi key mongo ssh"
)
# Tokens that open nothing: places in a list, amounts of text, counters.
TOKEN_OWNERS_HARMLESS = words("""
    page continuation pagination cursor sync next prompt completion input output fencing bucket cancel
    cancellation design stop lexer syntax max min total cached reasoning
""")
# Keys of an id or of a secret: the value tells.
SECRET_OR_OTHER = (["session"], ["session", "id"], ["code"], ["nonce"])
TOKENS_OWNERS = words("access refresh api auth session device push oauth bearer csrf user secret")

EMAIL = words("email emails")
EMAIL_TAIL = words("""
    address addresses addr value values lower lowercase normalized normalised primary secondary work
    home personal business other raw old new to from hash canonical
""")

PHONE = words("""
    phone phones telephone telephones tel mobile mobiles cell cellphone fax whatsapp msisdn landline
    telefon telefono movil handynummer rufnummer
""")
PHONE_TAIL = words("""
    number numbers no nr num value values home work primary secondary business other raw e formatted
    normalized normalised national international digits to from old new ext hash lower
""")
PHONE_JOINED = words("""
    phonenumber phonenumbers mobilenumber phoneno mobileno telno cellnumber faxnumber homephone
    workphone mobilephone contactphone userphone clientphone contactnumber callernumber whatsappnumber
    telephonenumber telnumber rawphone phoneraw
""")
# What announces a telephone number in prose and in links.
PHONE_WORDS = words("""
    phone phoned phones phone_number telephone tel mobile mob cell cellphone landline handset call called
    calling callto dial ring ringing text texted sms whatsapp fax ph reach msisdn telefon telefono handy movil
    celular rufnummer portable wa.me/ send?phone 电话 手机 電話 携帯 전화 tlf tfno telefone telefoon cellulare
    telefonnummer handynummer mobilnummer llamar llame llamame appelez appeler anrufen gsm телефон тел
""")
PHONE_PHRASES = (
    "contact number", "contact no", "contact me", "my number", "his number", "her number", "new number",
)  # fmt: skip
NUMBER_OWNERS = words("""
    contact caller callee from to sms calling called dialed dialled sender recipient emergency twilio
    whatsapp telephone customer client
""")
NOT_PHONES = words("iphone microphone headphone headphones smartphone")
PHONE_OR_OTHER = words("to from caller callee recipient sender called waid wa smsto smsfrom callto")

PERSONS = words("""
    contact contacts client clients user users customer customers lead leads trainer trainers coach
    coaches member members person persons people patient patients attendee attendees guest guests
    assignee assignees assigned owner owners sender recipient recipients participant participants staff
    employee employees profile me author invitee invitees booker requester reporter subscriber applicant
    student students athlete instructor actor creator payer buyer caller
""")
PERSON_TAIL = words("""
    details detail info data snapshot profile record records object payload before after old new to by
    list rows row model instance
""")
THINGS = words("""
    location locations product products calendar calendars company companies business organization
    organisation account plan pipeline stage service services app campaign workflow form event team
    tenant gym studio template
""")
# Dicts between a person and its fields: {"contact": {"attributes": {"name": …}}}.
WRAPPERS = words(
    "attributes data fields properties old new before after value values item items results record traits"
    " details detail info profile payload object snapshot person attrs"
)

NAME_OWNERS = PERSONS | words("""
    first last full given family sur middle nick display maiden legal preferred real billing shipping
    cardholder holder spouse partner parent mother father child emergency agentname friendly official
    previous former second christian pet birth assigned manager nurse doctor from to reply cc author
""")
NAMES = words("""
    firstname lastname fullname givenname familyname middlename surname forename forenames nickname
    username displayname contactname clientname customername trainername leadname coachname membername
    fname lname mname prenom vorname nachname apellido apellidos cognome maidenname realname
    preferredname legalname cardholder assigneename ownername sendername recipientname usersname
    attendeename guestname surnames nachnamen holdername accountholder
""")
NAME_TAIL = words("""
    lower case lowercase upper uppercase raw value normalized normalised local native kana kanji
    phonetic old new before after initial sort
""")

NETWORK_ADDRESSES = words("""
    ip ipv ipv4 ipv6 mac remote bind listen server host memory web url net network peer socket bus base
    wallet contract proxy forwarded upstream local source dest destination
""")
ADDRESSES = words("""
    address addresses street streetaddress postcode postalcode zipcode zip homeaddress billingaddress
    shippingaddress mailingaddress addressline strasse adresse direccion apartment
""")
PRIVATE = words("""
    dob birthday birthdate dateofbirth birthdatetime geburtsdatum born ssn socialsecuritynumber iban
    cardnumber creditcard creditcardnumber pan nino passport passportnumber accountnumber bankaccount
    postaladdress streetname housenumber
""")
PRIVATE_PAIRS = frozenset({
    ("of", "birth"), ("birth", "date"), ("birth", "day"), ("birth", "year"), ("birth", "place"),
    ("card", "number"),
    ("account", "number"), ("bank", "account"), ("social", "security"), ("national", "insurance"),
    ("national", "id"), ("tax", "id"), ("passport", "no"), ("passport", "number"), ("credit", "card"),
    ("sort", "code"), ("postal", "code"), ("post", "code"), ("zip", "code"), ("house", "number"),
    ("street", "name"), ("street", "number"), ("address", "line"), ("street", "line"), ("license", "number"),
    ("licence", "number"), ("insurance", "number"), ("medical", "record"),
})  # fmt: skip

# Words that say little by themselves as a key in prose: "API key:", "First name:", "Date of birth:".
LAST_WORDS = words("""
    key keys name names number no birth code codes address token secret id line date card security bucket
    type count time expires
""")

# What stands behind "password:" in prose and in error messages without being one.
HARMLESS_VALUES = words("""
    required missing invalid expired none null nil undefined true false yes no empty not is must this
    enter ok okay set unset revoked reset refreshed rotated changed updated sent failed unknown n/a na
    error valid verified unverified the a an and or was were has have can cannot be please see mismatch
    mismatched incorrect wrong malformed redacted hidden masked filtered [filtered] *** **** *****
    ****** ******** … unauthorized denied forbidden on off present absent too str string int integer
    bool number object list optional dict optional[str] asc desc default blank disabled enabled pending
    found created deleted duplicate rejected accepted already only may should will use used using for to
    in at of by with without from does did cannot: field str, int, text varchar uuid header cookie
""")

# Words of a name that are no name by themselves.
NAME_PARTICLES = words("""
    van von der den de del della di da dos das du la le el al bin ibn ben ter ten zu zum zur of and y e
    i mr mrs ms miss mx dr prof sir dame lady lord jr sr ii iii iv phd md the
""")
# Names that are words as well: a known name of one such word is taken in its own case only.
NAMES_THAT_ARE_WORDS = words("""
    will may mark grace hope art rose bill june april august joy faith summer dawn ray gene pat sue rob
    jack nick chase grant drew rich frank ernest dean king page price young long short small black white
    green brown gray grey gold stone wood field lake hill rivers banks cook baker smith best day love
    case client contact user admin test name email phone none null coach trainer system secret root info
""")
